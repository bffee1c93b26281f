"""Write a few texts into a folder: the data of an example."""

import sys
from pathlib import Path

folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
for number in range(3):
    (folder / f"{number}.txt").write_text(f"text {number}\n" * 10)
