"""tracegrad"""
import tracegrad.ops
