"""How a model version comes into service, and who may change what serves: kinds with the same verbs, and claims."""
