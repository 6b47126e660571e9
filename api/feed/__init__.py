"""The live side: what happens, told to everybody who looks, over bounded sockets."""
