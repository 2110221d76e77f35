"""The command line as a process that heeds Ctrl-C even where the shell that started the tests ignores it.

python -m tests.robustness.cosim_command run demo
"""

from __future__ import annotations

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from cosim.cli.app import main

    main()
