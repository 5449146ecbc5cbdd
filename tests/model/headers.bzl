"""headers_of: what a library lets others include, without what it would link."""

def _headers_of_impl(ctx):
    merged = cc_common.merge_cc_infos(cc_infos = [d[CcInfo] for d in ctx.attr.deps])
    return [CcInfo(compilation_context = merged.compilation_context)]

headers_of = rule(
    implementation = _headers_of_impl,
    attrs = {"deps": attr.label_list(providers = [CcInfo])},
    doc = "For sources that are compiled once more, with other macros: the objects of the libraries must not come with the headers.",
)
