//! The billfold program: demo, server, sandbox and resource commands. The one place that links providers.
