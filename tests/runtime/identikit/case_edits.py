"""Edits of cases and logs that were read as JSON."""


def set_in(*path, to):
    """Sets what a path of keys and places leads to."""

    def edit(content):
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = to

    return edit
