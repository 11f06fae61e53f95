"""The documentation: pages that are held to the code, and the site that is built of them."""
