-- One row for each value that a key of a thing has now. What was said last, by the order of commits and within a commit by time,
-- stands for all that was said before; a withdrawal leaves nothing.
SELECT entity, source, number, key, position, written, written_type, text_form, integer_form, float_form, boolean_form,
       time_form, subject, origin, author, "at", commit_number
FROM metadata_in_order
QUALIFY rank() OVER (PARTITION BY entity, source, number, key ORDER BY commit_order DESC, "at" DESC) = 1
    AND withdrawn IS NOT TRUE
