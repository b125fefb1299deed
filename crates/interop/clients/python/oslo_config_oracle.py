"""Random configuration files, and what oslo.config makes of `[token] provider` in each: JSON, [[text, value or null]]."""

import json
import random
import sys
import tempfile

from oslo_config import cfg


def word(longest):
    letters = random.choices("ab =\"':#;[]\t,x1\u00e4", k=random.randrange(longest))
    return "".join(letters)


def line():
    forms = ["", "[token]", f"[{word(5)}]", f"provider = {word(8)}", f"provider:{word(8)}", f" {word(6)}"]
    return random.choice(forms + [f"#{word(4)}", word(9), f"provider='{word(5)}'", "[Token]"])


def told(text):
    conf = cfg.ConfigOpts()
    conf.register_opts([cfg.StrOpt("provider", default="fernet")], group="token")
    with tempfile.NamedTemporaryFile("w", suffix=".conf", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        try:
            conf(["--config-file", file.name], project="x", default_config_dirs=[])
            return conf.token.provider
        except cfg.Error:
            return None


random.seed(7)
files = []
for _ in range(int(sys.argv[1])):
    start = ["[token]"] if random.random() < 0.7 else []
    text = "\n".join(start + [line() for _ in range(random.randrange(8))])
    files.append([text, told(text)])
json.dump(files, sys.stdout)
