"""The contract with users: the models of the custom resources, and nothing that acts."""
