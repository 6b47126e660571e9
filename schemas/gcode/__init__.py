"""G-code as text: words, temperature limits and the policy of codes.

One parser for the API's preflight of a file and for the sender's gate at the port, so that the two
can never disagree (DESIGN section 2; safety M19 and M20).
"""
