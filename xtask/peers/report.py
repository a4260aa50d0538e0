"""One line for each check, and whether all of them held."""

import contextlib
import datetime
import os
import traceback


class Report:
    def __init__(self):
        self.lines = []

    @contextlib.contextmanager
    def check(self, peer, what):
        """What raises nothing held. A check goes on without those before it, and is broken when it needs them."""
        try:
            yield
        except Exception as error:  # whatever a peer raises is its verdict
            self._tell(peer, what, f"{type(error).__name__}: {error}".replace("\n", " ")[:1500])
            if os.environ.get("PEERS_TRACE"):
                traceback.print_exc()
        else:
            self._tell(peer, what, None)

    def _tell(self, peer, what, problem):
        self.lines.append((peer, what, problem))
        print(f"{peer:<36}  {what:<92}  {'held' if problem is None else 'BROKEN'}", flush=True)
        if problem is not None:
            print(f"{'':<36}  {problem}", flush=True)

    def write(self, page):
        """Puts the results into a page, between its marks."""
        begin, end = "<!-- The results begin; `cargo xtask peers --write` writes them. -->", "<!-- The results end. -->"
        with open(page, encoding="utf-8") as text:
            before, rest = text.read().split(begin)
        rows = [f"| {peer} | {what} | {'BROKEN' if problem else 'held'} |" for peer, what, problem in self.lines]
        day = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        table = "\n".join(["| peer | what | result |", "|---|---|---|", *rows])
        with open(page, "w", encoding="utf-8") as text:
            text.write(f"{before}{begin}\n\nRun on {day}.\n\n{table}\n\n{end}{rest.split(end)[1]}")

    def broken(self):
        return [line for line in self.lines if line[2] is not None]


def same(found, expected, what="it"):
    if found != expected:
        raise AssertionError(f"{what} is {found!r}, expected {expected!r}")


def there(found, what):
    if not found:
        raise AssertionError(f"{what} is not there")
    return found


def refused(errors, action, *args, **kwargs):
    """What must fail, and in this way. Gives the error."""
    try:
        answer = action(*args, **kwargs)
    except errors as error:
        return error
    raise AssertionError(f"it was taken: {str(answer)[:200]}")
