#!/usr/bin/env python3
"""Stands in for a browser with somebody before it: signs in to the demo, allows what is asked, and comes back."""
import html
import http.cookiejar
import json
import os
import re
import ssl
import sys
import urllib.parse
import urllib.request

folder = "sealstone-dev"
demo = json.load(open(f"{folder}/dev.json"))
user = next(user for user in demo["users"] if user["name"] == "demo")
context = ssl.create_default_context(cafile=os.path.join(folder, demo["ca"]))
opener = urllib.request.build_opener(
    urllib.request.HTTPSHandler(context=context),
    urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
)


def attribute(tag, name):
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return html.unescape(found.group(1)) if found else ""


page = opener.open(sys.argv[1])
for _ in range(4):
    if page.url.startswith("http://127.0.0.1"):
        break
    text = page.read().decode()
    forms = re.findall(r"<form\b.*?</form>", text, re.S)
    form = next(form for form in forms if 'name="password"' in form or 'value="allow"' in form)
    fields = {attribute(tag, "name"): attribute(tag, "value") for tag in re.findall(r"<input\b[^>]*>", form)}
    if "password" in fields:
        fields.update(user_name=user["name"], password=user["password"])
    buttons = re.findall(r"<button\b[^>]*>", form)
    button = next((tag for tag in buttons if attribute(tag, "value") == "allow"), buttons[0])
    fields[attribute(button, "name")] = attribute(button, "value")
    action = urllib.parse.urljoin(page.url, attribute(form, "action") or page.url)
    fields.pop("", None)
    request = urllib.request.Request(action, urllib.parse.urlencode(fields).encode())
    # Not on the way back to the terminal: that is a page gone to, as by a link.
    request.add_unredirected_header("Origin", "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(action)))
    page = opener.open(request)
