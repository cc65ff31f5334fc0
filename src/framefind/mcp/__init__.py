"""A server of the Model Context Protocol: the verbs of a library as tools for agents."""
