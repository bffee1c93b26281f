"""Count what a folder holds, and write the result where the caller reads it."""

import json
import os
import sys
from pathlib import Path

files = [path for path in Path(sys.argv[1]).rglob("*") if path.is_file()]
result = {"files": len(files), "bytes": sum(path.stat().st_size for path in files)}
print(result)
Path(os.environ["RESULT_FILE"]).write_text(json.dumps(result))
