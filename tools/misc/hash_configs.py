"""Print a hash of what each config says, all that it inherits, comments left out."""

import argparse
from pathlib import Path

from mmdetxfer.config_hash import config_hash
from mmdetxfer.errors import UserError, one_line_errors


@one_line_errors
def main() -> None:
    """Print a line for each config: the hash, two blanks, the path."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('configs', nargs='+', type=Path, help='config files')
    for path in parser.parse_args().configs:
        if not path.is_file():
            raise UserError(f'config not found: expected a file at {path}')
        print(f'{config_hash(path)}  {path}')


if __name__ == '__main__':
    main()
