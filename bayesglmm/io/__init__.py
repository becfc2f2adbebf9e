"""Files: fits (netCDF4), model files (tomli-w), tables (csv, parquet). Imports rows 0-7; never PyMC, never pickle."""
