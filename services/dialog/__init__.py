"""The retail assistant as people talk to it: conversations over HTTP, kept in a database, and their labels."""
