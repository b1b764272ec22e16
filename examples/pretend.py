"""Imitates two services of other people, to try `webhook` and `llm` without them.

    python3 examples/pretend.py          listens on http://127.0.0.1:9900; another port is the first argument

POST /hook                  answers every third request with 429 and `Retry-After: 5`, the others "noted"
POST /v1/chat/completions   streams an answer as OpenAI's API does, a word at a time
"""

import http.server
import itertools
import json
import sys
import time

WORDS = "This is what a model would say, a word at a time.".split()
requests = itertools.count(1)


class Pretend(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/hook":
            self.hook()
        elif self.path == "/v1/chat/completions":
            self.chat(body)
        else:
            self.send_error(404)

    def hook(self):
        busy = next(requests) % 3 == 0
        answer = b"too busy" if busy else b"noted"
        self.send_response(429 if busy else 200)
        if busy:
            self.send_header("Retry-After", "5")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def chat(self, question):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        prompt = sum(len(message["content"].split()) for message in question["messages"])
        for word in WORDS:
            self.say({"choices": [{"index": 0, "delta": {"content": word + " "}}]})
            time.sleep(0.5)
        self.say({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        total = prompt + len(WORDS)
        usage = {"prompt_tokens": prompt, "completion_tokens": len(WORDS), "total_tokens": total}
        self.say({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def say(self, event):
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()


PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 9900
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Pretend).serve_forever()
