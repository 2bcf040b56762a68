"""Runs its command line in the warm Python that listens on a socket; see warm_python."""

import json
import os
import socket
import sys

connection = socket.socket(socket.AF_UNIX)
connection.connect(os.environ['WARM_PYTHON_SOCKET'])
request = {'words': sys.argv[1:], 'folder': os.getcwd(), 'environment': dict(os.environ)}
data = json.dumps(request).encode() + b'\n'
sent = socket.send_fds(connection, [data], [0, 1, 2])
connection.sendall(data[sent:])
status = int(connection.recv(16) or 1)
sys.exit(128 - status if status < 0 else status)
