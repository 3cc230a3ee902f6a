"""What the HTCondor engine is made of: the DAG, the steps beside it on the submit host, the queue, the event log."""
