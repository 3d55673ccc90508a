"""Quantises an ONNX model dynamically to int8, as onnxruntime's documentation shows. Usage: quantize_onnx.py FROM TO"""

import sys

from onnxruntime.quantization import QuantType, quantize_dynamic

quantize_dynamic(sys.argv[1], sys.argv[2], weight_type=QuantType.QInt8)
