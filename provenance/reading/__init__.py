"""What follows from the tables: which value is current, where a file can be read, what became of a job."""
