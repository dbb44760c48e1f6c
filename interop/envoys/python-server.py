"""The in-memory backend of the Python package durabletask, as a server: python interop/envoys/python-server.py 4001"""

import sys

from durabletask.testing import create_test_backend

backend = create_test_backend(port=int(sys.argv[1]))
backend.start()
print("ready", flush=True)
sys.stdin.read()
backend.stop(grace=0)
