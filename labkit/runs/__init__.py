"""A run: as data (records), and as a folder (run_folder, run.schema.json). Reports are made from runs only."""
