"""The query language: text to tree to SQL against a vocabulary it is given. Knows neither data nor workflows."""
