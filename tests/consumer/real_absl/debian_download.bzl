"""Repositories made of what Debian's archive has, without installing it."""

# Downloads the source package $1, by a list of sources made from this machine's own.
_FETCH_SOURCE = """\
set -eu
mkdir -p apt/parts apt/lists/partial apt/cache/archives/partial
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
  [ ! -f "$list" ] || sed -n 's/^deb /deb-src /p' "$list" >"apt/parts/$(basename "$list" .list).list"
done
for list in /etc/apt/sources.list.d/*.sources; do
  [ ! -f "$list" ] || sed 's/^Types:.*/Types: deb-src/' "$list" >"apt/parts/$(basename "$list")"
done
set -- "$1" -q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$PWD/apt/parts" \
  -o "Dir::State::lists=$PWD/apt/lists" -o "Dir::Cache=$PWD/apt/cache"
package=$1
shift
apt-get "$@" update
apt-get "$@" --download-only source "$package"
tar -xf "${package}"_*.orig.tar.* --strip-components=1
rm -rf apt
"""

_FETCH_PACKAGE = """\
set -eu
apt-get download -q "$1"
dpkg -x "$1"_*.deb unpacked
for entry in unpacked/"$2"/*; do ln -s "$PWD/$entry" .; done
"""

def _run(ctx, script, arguments):
    got = ctx.execute(["sh", "-c", script, "sh"] + arguments, timeout = 300)
    if got.return_code != 0:
        fail("\n\n  @%s is made of Debian's %s, which this machine could not get:\n\n%s\n%s" %
             (ctx.name, ctx.attr.package, got.stdout, got.stderr))

def _debian_source_impl(ctx):
    _run(ctx, _FETCH_SOURCE, [ctx.attr.package])

debian_source = repository_rule(
    implementation = _debian_source_impl,
    attrs = {"package": attr.string(mandatory = True, doc = "the source package")},
    doc = "What upstream released, which has to be a Bazel workspace; Debian's own changes are not applied.",
)

def _debian_package_impl(ctx):
    _run(ctx, _FETCH_PACKAGE, [ctx.attr.package, ctx.attr.path])

debian_package = repository_rule(
    implementation = _debian_package_impl,
    attrs = {
        "package": attr.string(mandatory = True),
        "path": attr.string(mandatory = True, doc = "where it puts the repository"),
    },
    doc = "A folder of a package that need not be installed.",
)
