"""The server of the sockets tutorials, as everybody writes it."""

import socket
import sys

family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2])))
s.listen(5)
print("listening", flush=True)
while True:
    c, addr = s.accept()
    print("Got connection from", addr, flush=True)
    c.send("Thank you for connecting".encode())
    c.close()
