"""Our load generator beside `vllm bench serve`: one server, the same requests, in turns."""
