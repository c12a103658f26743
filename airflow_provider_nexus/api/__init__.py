"""What the Nexus API is: catalogue, schemas, lifecycles, envelope, time stamps. No Airflow, no sockets, no clock."""
