"""Protocol: what is fitted on, chosen by and measured on which rows."""
