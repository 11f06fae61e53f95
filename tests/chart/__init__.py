"""The Helm chart, what is rendered from it, and the image: judged by helm, the API server and pip themselves."""
