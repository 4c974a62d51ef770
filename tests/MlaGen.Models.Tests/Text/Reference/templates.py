"""Renders templates as transformers' apply_chat_template does, with Jinja itself: python3-jinja2 is all that it needs.

Arguments: a JSON file with a list of templates ({"name", "source", and optionally the names of the "conversations" that it is for}), one with a list of conversations ({"name", "messages", and optionally "tools",
"add_generation_prompt", "variables"}), and the output: for every template and conversation the text, or null where the template refuses it.
"""
import json
import sys
from datetime import datetime

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime(2026, 3, 7, 4, 5, 6)


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.Scope(body).set_lineno(line)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = NOW.strftime


def render(source, conversation):
    try:
        return environment.from_string(source).render(
            messages=conversation["messages"],
            tools=conversation.get("tools"),
            documents=None,
            add_generation_prompt=conversation.get("add_generation_prompt", True),
            bos_token="<bos>",
            eos_token="<eos>",
            **conversation.get("variables", {}),
        )
    except Exception as error:
        print(f"{conversation['name']}: {type(error).__name__}: {error}", file=sys.stderr)
        return None


with open(sys.argv[1], encoding="utf-8") as file:
    templates = json.load(file)
with open(sys.argv[2], encoding="utf-8") as file:
    conversations = json.load(file)
with open(sys.argv[3], "w", encoding="utf-8") as file:
    json.dump({t["name"]: {c["name"]: render(t["source"], c) for c in conversations if c["name"] in t.get("conversations", [c["name"]])} for t in templates}, file, ensure_ascii=False, indent=1)
    file.write("\n")
