"""Wide tables: what is known of a thing in one row, made from the segments and never the truth."""
