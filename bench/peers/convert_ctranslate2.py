"""Converts all-MiniLM-L6-v2 for CTranslate2, float32. Usage: convert_ctranslate2.py FOLDER"""

import sys

from ctranslate2.converters import TransformersConverter
from embed_batches import FOLDER

TransformersConverter(str(FOLDER)).convert(sys.argv[1])
