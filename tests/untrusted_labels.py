"""Finds text that people may have typed on its way into Streamlit's Markdown without the escaper. Read by a test.

A label is Markdown: it loads remote images, makes links, and takes directives. What goes into one must be fixed words,
a number or date of ours, or have passed `safe_md`. The reading is of the source alone: an expression is taken to be
safe only where its own form says so, following assignments within a function and labels handed to helpers.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

# Streamlit's functions with the arguments of theirs that are Markdown: by place, then by name.
LABEL = ((0,), ("label",))
BODY = ((0,), ("body",))
SINKS: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    **dict.fromkeys(("title", "header", "subheader", "markdown", "caption", "success", "info", "warning", "error"), BODY),
    **dict.fromkeys(
        (
            "button", "link_button", "download_button", "form_submit_button", "checkbox", "toggle", "radio", "selectbox",
            "multiselect", "text_input", "text_area", "number_input", "date_input", "time_input", "file_uploader",
            "slider", "select_slider", "expander", "popover", "feedback", "pills", "segmented_control", "page_link",
            "status", "color_picker", "camera_input", "audio_input", "chat_input",
        ),
        LABEL,
    ),
    "metric": ((0, 1, 2), ("label", "value", "delta")),
    "tabs": ((0,), ("tabs",)),
    "toast": BODY,
    "write": ((0, 1, 2, 3), ()),
    "dialog": ((0,), ("title",)),
    "progress": ((1,), ("text",)),
    "spinner": ((0,), ("text",)),
    "table": ((0,), ("data",)),
    "badge": LABEL,
}  # fmt: skip
# Also Markdown wherever they are given.
TOOLTIPS = ("help", "captions")
# Options of these are drawn as Markdown.
OPTIONS = ("radio", "pills", "segmented_control", "select_slider", "feedback")
BANNED = ("html", "write_stream", "iframe")
# Functions whose result holds nothing that anybody typed, or holds it escaped.
SAFE_CALLS = {
    "safe_md", "len", "int", "float", "round", "sum", "min", "max", "abs", "show_date", "show_instant", "show_time",
    "strftime", "isoformat", "nearest_5", "month_name",
    # Sentences of numbers, dates and fixed words.
    "checking_sentence", "launching_sentence", "trend_break", "provisional", "rank", "percent",
}  # fmt: skip
# Methods that keep text as safe as it was, and functions that only arrange what they are given.
ARRANGES = {"str", "list", "tuple", "sorted", "reversed", "dict", "zip", "many", "iter", "next"}
KEEPS = {"capitalize", "lower", "upper", "title", "strip", "replace", "join", "format", "rstrip", "lstrip"}
# Names of our own numbers and fixed words.
SAFE_NAMES = {
    "number", "count", "total", "page", "pages", "year", "threshold", "minimum", "maximum", "percent", "answered_percent",
    "invited", "waiting", "version", "id", "n", "rank", "months", "days", "hours", "size", "place", "of",
}  # fmt: skip


@dataclass
class Reader:
    """What is known of one module: its fixed names, and which parameters of its functions end in a label."""

    tree: ast.Module
    sinks: dict[str, set[int | str]] = field(default_factory=dict)
    outside: dict[str, set[int | str]] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)

    def read(self) -> list[str]:
        """Every fault, once all helpers that take a label are known."""
        self.functions = {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}
        known = -1
        while known != sum(map(len, self.sinks.values())):
            known = sum(map(len, self.sinks.values()))
            self.found = []
            for function in ast.walk(self.tree):
                if isinstance(function, ast.FunctionDef):
                    self.function(function)
            rest = ast.Module([n for n in self.tree.body if not isinstance(n, ast.FunctionDef)], [])
            self.scope(rest.body, self.assigned(rest), None)
        return sorted(set(self.found))

    def function(self, function: ast.FunctionDef) -> None:
        self.scope(function.body, self.assigned(function), function)

    def assigned(self, within: ast.AST) -> dict[str, list[ast.expr]]:
        """What each name is given within a function, wherever."""
        found: dict[str, list[ast.expr]] = {}
        for node in ast.walk(within):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self.bind(target, node.value, found)
            elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)) and node.value is not None:
                self.bind(node.target, node.value, found)
            elif isinstance(node, (ast.For, ast.comprehension)):
                self.bind(node.target, node.iter, found)
        return found

    def bind(self, target: ast.expr, value: ast.expr, assigned: dict[str, list[ast.expr]]) -> None:
        if isinstance(target, ast.Name):
            assigned.setdefault(target.id, []).append(value)
        elif isinstance(target, ast.Subscript):
            self.bind(target.value, value, assigned)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for place, part in enumerate(target.elts):
                for one in parts_of(value, place, len(target.elts)):
                    self.bind(part, one, assigned)

    def scope(
        self, body: list, assigned: dict[str, list[ast.expr]], function: ast.FunctionDef | None
    ) -> None:
        for statement in body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Call):
                    self.call(node, assigned, function)

    def call(self, call: ast.Call, assigned: dict, function: ast.FunctionDef | None) -> None:
        name, on_streamlit = called(call)
        if on_streamlit and name in BANNED:
            self.found.append(f"line {call.lineno}: st.{name} writes what it is given as it is")
        helper = (
            self.outside.get(ast.unparse(call.func))
            if isinstance(call.func, ast.Attribute)
            else self.sinks.get(name)
        )
        if not on_streamlit and not helper:
            return
        if on_streamlit and name in SINKS:
            places, names = SINKS[name]
            wanted = {*places, *names, *TOOLTIPS}
            if name in OPTIONS:
                formats = [k.value for k in call.keywords if k.arg == "format_func"]
                wanted |= {"format_func"} if formats else {1, "options"}
        else:
            wanted = (helper or set()) | (set(TOOLTIPS) if on_streamlit else set())
        given = [(place, value) for place, value in enumerate(call.args) if place in wanted]
        given += [(key.arg, key.value) for key in call.keywords if key.arg in wanted]
        for _, value in given:
            if isinstance(value, ast.Starred):
                value = value.value
            self.check(value, assigned, function, f"line {call.lineno}: {name}")

    def check(self, value: ast.expr, assigned: dict, function: ast.FunctionDef | None, where: str) -> None:
        """Note a fault, or that the label comes from a parameter, whose callers are then looked at instead."""
        parameters = (
            [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
            if function
            else []
        )
        for name in self.unsafe(value, assigned, frozenset(parameters), ()):
            if name in parameters and function.name != "main":
                kwonly = name in [a.arg for a in function.args.kwonlyargs]
                self.sinks.setdefault(function.name, set()).update(
                    {name} if kwonly else {name, parameters.index(name)}
                )
            else:
                self.found.append(f"{where}({name})")

    def unsafe(self, node: ast.expr | None, assigned: dict, parameters: frozenset, seen: tuple) -> list[str]:
        """The parts of an expression that may hold what somebody typed; parameters by their bare names."""

        def each(*nodes: ast.expr | None) -> list[str]:
            return [fault for part in nodes for fault in self.unsafe(part, assigned, parameters, seen)]

        match node:
            case None | ast.Constant() | ast.Compare() | ast.UnaryOp():
                return []
            case ast.Starred():
                return each(node.value)
            case ast.JoinedStr():
                return each(*node.values)
            case ast.FormattedValue():
                if node.format_spec and any(
                    mark in ast.unparse(node.format_spec) for mark in ("d", ",", "%", "f")
                ):
                    return []
                return each(node.value)
            case ast.BinOp(op=ast.Sub() | ast.Div() | ast.FloorDiv()):
                # Only numbers can be.
                return []
            case ast.BinOp():
                return each(node.left, node.right)
            case ast.IfExp():
                return each(node.body, node.orelse)
            case ast.BoolOp():
                return each(*node.values)
            case ast.List() | ast.Tuple() | ast.Set():
                return each(*node.elts)
            case ast.Dict():
                return each(*node.values)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                return each(node.elt)
            case ast.DictComp():
                return each(node.value)
            case ast.Lambda():
                return each(node.body)
            case ast.Name():
                if node.id in parameters:
                    return [node.id]
                if node.id in seen or node.id in SAFE_NAMES:
                    return []
                if node.id in assigned:
                    inner = (*seen, node.id)
                    return [f for v in assigned[node.id] for f in self.unsafe(v, assigned, parameters, inner)]
                return [] if node.id.isupper() or node.id in ("str", "safe_md") else [node.id]
            case ast.Attribute():
                if node.attr in SAFE_NAMES or node.attr.isupper():
                    return []
                if node.attr in ("get", "keys", "values", "items"):
                    return each(node.value)
                return [ast.unparse(node)]
            case ast.Subscript(slice=ast.Constant(value=str(key))) if key in SAFE_NAMES:
                return []
            case ast.Subscript():
                return each(node.value)
            case ast.Call():
                name, _ = called(node)
                if name in SAFE_CALLS:
                    return []
                if name in KEEPS and isinstance(node.func, ast.Attribute):
                    return each(node.func.value, *node.args)
                if name == "get" and isinstance(node.func, ast.Attribute):
                    return each(node.func.value, *node.args[1:])
                if name == KEYS:
                    return self.keys(node.args[0], assigned, parameters, seen)
                if name in ("map", "rename") and "safe_md" in ast.unparse(node):
                    return []
                if name in ARRANGES:
                    return each(*node.args)
                if isinstance(node.func, ast.Name) and name in self.functions and name not in seen:
                    return self.returned(self.functions[name], (*seen, name))
                return [ast.unparse(node)[:60]]
        return [ast.unparse(node)[:60]]

    def keys(self, node: ast.expr, assigned: dict, parameters: frozenset, seen: tuple) -> list[str]:
        """The keys of a dictionary that a name stands for, or all of what it is where that is not known."""
        found = assigned.get(node.id, []) if isinstance(node, ast.Name) else [node]
        parts = [key for value in found if isinstance(value, ast.Dict) for key in value.keys]
        return [f for part in parts or [node] for f in self.unsafe(part, assigned, parameters, seen)]

    def returned(self, function: ast.FunctionDef, seen: tuple) -> list[str]:
        """The unsafe parts of what a function of this module returns; its parameters count as unsafe."""
        assigned = self.assigned(function)
        values = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
        return [fault for value in values for fault in self.unsafe(value, assigned, frozenset(), seen)]


KEYS = "keys of"


def parts_of(value: ast.expr, place: int, count: int) -> list[ast.expr]:
    """What stands at a place of what is unpacked, as near as its form tells."""
    if isinstance(value, (ast.Tuple, ast.List)):
        if value.elts and all(
            isinstance(e, (ast.Tuple, ast.List)) and len(e.elts) == count for e in value.elts
        ):
            return [e.elts[place] for e in value.elts]
        if len(value.elts) == count:
            return [value.elts[place]]
    if isinstance(value, ast.Call):
        name, _ = called(value)
        if name == "zip" and len(value.args) == count:
            return [value.args[place]]
        if name == "enumerate" and value.args:
            return [ast.Constant(0)] if place == 0 else [value.args[0]]
        if name == "items" and isinstance(value.func, ast.Attribute) and place == 0:
            return [ast.Call(ast.Name(KEYS), [value.func.value], [])]
    return [value]


def called(call: ast.Call) -> tuple[str, bool]:
    """The name of what is called, and whether it may be Streamlit's: `st.x`, or a method of what Streamlit gave."""
    if isinstance(call.func, ast.Name):
        return call.func.id, False
    if isinstance(call.func, ast.Attribute):
        owner = call.func.value
        streamlit = isinstance(owner, ast.Name) and owner.id in (
            "st",
            "left",
            "right",
            "column",
            "place",
            "container",
        )
        return call.func.attr, streamlit or (
            isinstance(owner, ast.Attribute) and ast.unparse(owner) == "st.sidebar"
        )
    return "", False


def takers(modules: dict[str, str]) -> dict[str, set[int | str]]:
    """The functions of modules, `name` and `module.name`, with those of their parameters that end in a label."""
    found: dict[str, set[int | str]] = {}
    for module, source in modules.items():
        reader = Reader(ast.parse(source))
        reader.read()
        for name, parameters in reader.sinks.items():
            found[f"{module}.{name}"] = found[name] = parameters
    return found


def faults(source: str, helpers: dict[str, set[int | str]] | None = None) -> list[str]:
    """Where text that people may have typed reaches a label. `helpers`: what `takers` found in other modules."""
    tree = ast.parse(source)
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("engagement.ui")
        for alias in node.names
    }
    known = {name: set(parameters) for name, parameters in (helpers or {}).items() if name in imported}
    outside = {name: set(parameters) for name, parameters in (helpers or {}).items() if "." in name}
    return Reader(tree, sinks=known, outside=outside).read()
