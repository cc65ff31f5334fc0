"""What a job begins with: a quiet Spark session, a library; errors that say what Spark lacks."""

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from framefind.errors import FramefindError
from framefind.library import Library
from framefind.library import open as open_library
from framefind.types import PathLike

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_QUIET = Path(__file__).with_name("log4j2.properties")
_MAX_TASK_ATTEMPTS = 4  # as on a cluster


class SparkError(FramefindError):
    """Spark or Java is missing, or Spark cannot be started or reached, or gave up."""


def session(master: str = "local[*]", **settings: str) -> "SparkSession":
    """Start a Spark session at `master`: `local[2]`, `spark://…`, `yarn` or `k8s://…`.

    It logs errors only, and attempts a task four times, on one machine too. `settings` are Spark's
    own, by their names. Raises SparkError when Spark or Java is missing, or cannot be started.
    """
    require()
    from pyspark.sql import SparkSession

    local = re.fullmatch(r"local(\[[^,\]]+\])?", master)
    if local:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        master = f"local[{(local[1] or '[1]')[1:-1]}, {_MAX_TASK_ATTEMPTS}]"
    java = f"-Dlog4j2.configurationFile={_QUIET.as_uri()} -Dsun.jnu.encoding=UTF-8"
    options = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.extraJavaOptions": java,
        "spark.executorEnv.PYTHONSAFEPATH": "1",  # as `-P`: see python_command
        **settings,
    }
    try:
        return (
            SparkSession.builder.master(master)
            .appName("framefind")
            .config(map=options)
            .getOrCreate()
        )
    except Exception as error:  # Py4J's and PySpark's own, by version
        raise SparkError(f"Spark cannot be started at {master}: {_find_line(error)}") from error


def require() -> None:
    """Raise SparkError when Spark or the Java that it needs is not installed."""
    try:
        import pyspark  # noqa: F401
    except ImportError:
        raise SparkError("Spark is not installed: pip install 'framefind[spark]'") from None
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which(str(Path(home, "bin", "java"))) if home else shutil.which("java")):
        where = f"JAVA_HOME={home} has none" if home else "JAVA_HOME is not set"
        raise SparkError(
            f"Spark needs Java 17 or newer, and {where}: install one (`apt install "
            "openjdk-17-jre-headless`, `brew install openjdk@17`) and set JAVA_HOME to its folder"
        )


def as_library(
    library: Library | PathLike | None, *, device: str = "auto", precision: str = "auto"
) -> Library:
    """Return the library, opened if it is given by its path or URI; the default one for None."""
    if isinstance(library, Library):
        return library
    return open_library(library, device=device, precision=precision)


def as_framefind_error(error: BaseException) -> FramefindError:
    """Return an error of Spark's as one of framefind's, in one line."""
    if isinstance(error, FramefindError):
        return error
    return SparkError(f"Spark gave up: {_find_line(error)}")


def _find_line(error: BaseException) -> str:
    """Return the line that tells most: framefind's own from an executor, else the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ours = [line for line in lines if re.match(r"framefind\.\S+Error: ", line)]
    return ours[-1].partition(": ")[2] if ours else next(iter(lines), repr(error))
