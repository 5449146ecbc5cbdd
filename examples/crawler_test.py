"""crawler against a web site of this test's.

crawler_test.py CRAWLER
"""

import http.server
import os
import subprocess
import sys
import threading
import unittest

from tests.support.program import UNDER

CRAWLER = None
PATIENCE = 60  # seconds, for anything that must happen


class Site(http.server.ThreadingHTTPServer):
    """Pages by their paths; counts how many are asked for, and how many at once."""

    daemon_threads = True

    def __init__(self, pages, at_once=1):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages = pages
        self.asked = []
        self.lock = threading.Condition()
        self.now = self.most = 0
        self.at_once = at_once  # an answer waits until so many are wanted
        self.ended = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def address(self, path="/"):
        return "http://127.0.0.1:%d%s" % (self.server_address[1], path)

    def __exit__(self, *exc):
        self.ended.set()
        self.shutdown()
        super().__exit__(*exc)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        site = self.server
        with site.lock:
            site.asked.append(self.path)
            site.now += 1
            site.most = max(site.most, site.now)
            site.lock.notify_all()
            if self.path.startswith("/many"):
                site.lock.wait_for(lambda: site.most >= site.at_once, PATIENCE)
            site.now -= 1
        page = site.pages.get(self.path)
        if page == "never":
            site.ended.wait(PATIENCE)
        elif page == "garbage":
            self.wfile.write(b"SMTP what?\r\n\r\n")
        elif page == "chunks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"5\r\n<a hr\r\n9\r\nef=\"leaf\"\r\n0\r\n\r\n")
        elif page is None:
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page.encode())
        self.close_connection = True

    def log_message(self, *words):
        pass


def links(*paths):
    return "<html>" + "".join('<a href="%s">x</a>' % p for p in paths)


class CrawlerTest(unittest.TestCase):

    def crawl(self, site, *flags, path="/"):
        done = subprocess.run(UNDER + [CRAWLER] + list(flags) + [site.address(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=PATIENCE)
        self.assertEqual(done.stderr, b"")
        return done.returncode, done.stdout.decode().splitlines()

    def test_each_page_of_the_site_is_fetched_once(self):
        pages = {
            "/": links("a", "/b/", "#here", "/a", "mailto:me", "//127.0.0.1/x", "http://127.0.0.1:1/other", "https://127.0.0.1/s", "c"),
            "/a": links("/", "a"),
            "/b/": links("leaf", "/gone", "../"),
            "/b/leaf": "no more",
            "/c": "chunks",
            "/leaf": "by chunks",
        }
        with Site(pages) as site:
            pages["/a"] += links(site.address("/c#part"))
            status, out = self.crawl(site)
            self.assertEqual(sorted(site.asked), ["/", "/a", "/b/", "/b/../", "/b/leaf", "/c", "/gone", "/leaf"])
        self.assertEqual(status, 0)
        self.assertEqual(out[-1], "6 pages, 2 failed, OK")
        self.assertIn("/gone: status 404", out)

    def test_as_many_at_once_as_the_limit_says_and_no_more(self):
        pages = {"/": links(*("/many/%d" % i for i in range(20)))}
        pages.update(("/many/%d" % i, "x") for i in range(20))
        with Site(pages, at_once=4) as site:
            self.assertEqual(self.crawl(site, "--limit=4")[1][-1], "21 pages, 0 failed, OK")
            self.assertEqual(site.most, 4)
        with Site(pages) as site:
            self.assertEqual(self.crawl(site, "--pages=7")[1][-1], "7 pages, 0 failed, OK")

    def test_a_page_that_fails_does_not_end_the_others(self):
        with Site({"/": links("slow", "bad", "good"), "/slow": "never", "/bad": "garbage", "/good": ""}) as site:
            status, out = self.crawl(site, "--page_seconds=0.3")
        self.assertEqual((status, out[-1]), (0, "2 pages, 2 failed, OK"))
        self.assertRegex(out[1], "^/slow: DEADLINE_EXCEEDED: ")
        self.assertRegex(out[2], "^/bad: DATA_LOSS: ")

    def test_the_end_of_the_time_ends_it(self):
        with Site({"/": links("slow", "good"), "/slow": "never", "/good": ""}) as site:
            status, out = self.crawl(site, "--seconds=0.5")
        self.assertEqual((status, out[-1]), (3, "2 pages, 1 failed, DEADLINE_EXCEEDED: context deadline exceeded"))


if __name__ == "__main__":
    CRAWLER = os.path.abspath(sys.argv.pop(1))
    unittest.main()
