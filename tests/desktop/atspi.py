"""Prints what a screen reader gets of every window on this session's bus: a line each, role, tab, name."""
import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi  # noqa: E402


def walk(node):
    try:
        print(f"{node.get_role_name()}\t{node.get_name()}")
        children = [node.get_child_at_index(i) for i in range(node.get_child_count())]
    except Exception:  # a part of the page was replaced meanwhile
        return
    for child in children:
        if child is not None:
            walk(child)


desktop = Atspi.get_desktop(0)
for i in range(desktop.get_child_count()):
    walk(desktop.get_child_at_index(i))
