"""The client of the sockets tutorials, as everybody writes it."""

import socket
import sys

family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family)
s.connect((sys.argv[1], int(sys.argv[2])))
print(s.recv(1024).decode())
s.close()
