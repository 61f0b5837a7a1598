"""What Alembic runs: the migrations of the database that the environment names."""

import os
import sys
from pathlib import Path

from dotenv import load_dotenv

from app import db, migrations
from app.config import ConfigError, load

load_dotenv(Path(__file__).parent.parent / ".env")
try:
    url = load(os.environ).database_url
    migrations.run(url)
except ConfigError as error:
    print(error, file=sys.stderr)
    sys.exit(78)
except migrations.Failed as error:
    print(error, file=sys.stderr)
    sys.exit(1)
except Exception as error:
    if not db.is_unavailable(error):
        raise
    place = db.place(url)
    print(f"The database does not answer at {place}; check DATABASE_URL.", file=sys.stderr)
    sys.exit(1)
