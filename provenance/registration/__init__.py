"""Files that nobody produced: found, read or declared, named, described, registered and retired."""
