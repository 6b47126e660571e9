"""Serial ports: finding and naming them, opening them for one process only, moving bytes.

The only package that imports pyserial.
"""
