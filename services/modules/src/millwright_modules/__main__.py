"""`python -m millwright_modules serve | migrate`."""

from __future__ import annotations

from millwright_runtime import service

from millwright_modules.app import SERVICE


def main() -> None:
    """Run the service's command."""
    service.main(SERVICE)


if __name__ == "__main__":
    main()
