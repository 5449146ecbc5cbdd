"""What the command lines of compare and compare_http share."""

import argparse
import contextlib
import json
import os
import sys
import tempfile

from bench.comparing import figures, measure, programs


def parser(doc, rounds):
    """With the flags that both have."""
    result = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--go", metavar="BINARY", help="the Go program; the same as --peer go=BINARY")
    result.add_argument("--go-sources", metavar="DIR", default=os.environ.get("GORT_BENCH_GO"), help="build the Go program from here")
    result.add_argument("--peer", metavar="NAME=BINARY", action="append", default=[], help="another program; may be repeated")
    result.add_argument("--about", metavar="NAME=TEXT", action="append", default=[], help="what a peer is, where the default is wrong")
    result.add_argument("--gort", metavar="BINARY", help="gort's program, if it is built already")
    result.add_argument("--json", metavar="FILE", help="write everything that was measured, for bench/report")
    result.add_argument("--rounds", type=int, default=rounds, help="default: %(default)s")
    return result


@contextlib.contextmanager
def peers(options, target):
    """The programs, gort's first; those that are built stay while the context lasts. target: gort's."""
    with tempfile.TemporaryDirectory() as folder:
        named = ["go=" + options.go] if options.go else []
        if not options.go and options.go_sources:
            named = ["go=" + programs.build_go(options.go_sources, os.path.join(folder, "go"))]
        named += options.peer
        if not named:
            raise programs.Failed("say --go BINARY, --go-sources DIR or --peer NAME=BINARY; bench/README.md describes these programs")
        programs.peers("/", named)  # what is wrong with them shows before gort is built
        yield programs.peers(options.gort or programs.build_gort(target), named)


def run(options, target, cells, n, measured):
    """Measures by measured(peer, workload, procs), prints the table, writes the JSON."""
    with peers(options, target) as all_peers:
        record = measure.record(all_peers, cells, options.rounds, n, measured, dict(text.split("=", 1) for text in options.about))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(record, f, indent=1, ensure_ascii=False)
            f.write("\n")
    print(figures.markdown(figures.table(record["rows"], list(record["programs"]))))
    print("\n" + figures.described(record))


def main(function):
    """Runs it; what is wrong with a program is one line, not a traceback."""
    try:
        function()
    except programs.Failed as failure:
        sys.exit("%s: %s" % (os.path.basename(sys.argv[0]), failure))
