"""
A school portal on Flask and parentauth, small enough to be read in one go.

``python -m examples.flask_portal`` runs it together with a worker;
``flask --app examples.flask_portal parentauth status`` works on the same database.
"""

from .application import create_app

__all__ = ["create_app"]
