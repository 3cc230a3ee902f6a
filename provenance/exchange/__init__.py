"""Between stores: what one has and another has not, and how it gets there."""
