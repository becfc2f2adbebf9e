"""The command line: click, one file per command, each imported when it is asked for. Imports any lower row; nothing imports it.

At the top of a module stand only imports that load no NumPy or pandas, so that every ``--help`` is quick. The rest comes when the
command runs: public names through ``bayesglmm``, which is lazy, others by an import inside the function that needs them.
"""
