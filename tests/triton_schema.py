"""The part of Triton's schema of configurations that T2F writes, as protobuf classes.

Numbers, types and names are facts of `protobuf/model_config.proto` in
triton-inference-server/common (package `inference`, syntax proto3); fields and values that T2F does
not write are left out, so that to write another one is an error here. The package that carries the
whole compiled schema, `tritonclient`, wants an older protobuf than T2F's; where it is installed all
the same, a test holds this table against it.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_KINDS = {
    "bool": _FIELD.TYPE_BOOL,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "uint32": _FIELD.TYPE_UINT32,
    "uint64": _FIELD.TYPE_UINT64,
    "string": _FIELD.TYPE_STRING,
}

ENUMS = {
    "DataType": {
        "TYPE_INVALID": 0,
        "TYPE_UINT8": 2,
        "TYPE_UINT64": 5,
        "TYPE_INT64": 9,
        "TYPE_FP32": 11,
        "TYPE_STRING": 13,
    },
    "ModelInstanceGroup.Kind": {"KIND_AUTO": 0, "KIND_GPU": 1, "KIND_CPU": 2},
}

_ACCELERATOR = "ModelOptimizationPolicy.ExecutionAccelerators.Accelerator"

# Message: field: (number, type); "*" repeats a field, "{}" maps texts to the type.
MESSAGES = {
    "ModelConfig": {
        "name": (1, "string"),
        "platform": (2, "string"),
        "version_policy": (3, "ModelVersionPolicy"),
        "max_batch_size": (4, "int32"),
        "input": (5, "*ModelInput"),
        "output": (6, "*ModelOutput"),
        "instance_group": (7, "*ModelInstanceGroup"),
        "dynamic_batching": (11, "ModelDynamicBatching"),
        "optimization": (12, "ModelOptimizationPolicy"),
        "parameters": (14, "{}ModelParameter"),
        "ensemble_scheduling": (15, "ModelEnsembling"),
        "model_warmup": (16, "*ModelWarmup"),
        "backend": (17, "string"),
    },
    "ModelInput": {
        "name": (1, "string"),
        "data_type": (2, "DataType"),
        "dims": (4, "*int64"),
        "optional": (8, "bool"),
    },
    "ModelOutput": {"name": (1, "string"), "data_type": (2, "DataType"), "dims": (3, "*int64")},
    "ModelInstanceGroup": {"count": (2, "int32"), "kind": (4, "ModelInstanceGroup.Kind")},
    "ModelVersionPolicy": {"latest": (1, "ModelVersionPolicy.Latest")},
    "ModelVersionPolicy.Latest": {"num_versions": (1, "uint32")},
    "ModelDynamicBatching": {"max_queue_delay_microseconds": (2, "uint64")},
    "ModelParameter": {"string_value": (1, "string")},
    "ModelEnsembling": {"step": (1, "*ModelEnsembling.Step")},
    "ModelEnsembling.Step": {
        "model_name": (1, "string"),
        "model_version": (2, "int64"),
        "input_map": (3, "{}string"),
        "output_map": (4, "{}string"),
    },
    "ModelWarmup": {
        "name": (1, "string"),
        "batch_size": (2, "uint32"),
        "inputs": (3, "{}ModelWarmup.Input"),
    },
    "ModelWarmup.Input": {
        "data_type": (1, "DataType"),
        "dims": (2, "*int64"),
        "random_data": (4, "bool"),
    },
    "ModelOptimizationPolicy": {
        "execution_accelerators": (4, "ModelOptimizationPolicy.ExecutionAccelerators")
    },
    "ModelOptimizationPolicy.ExecutionAccelerators": {
        "gpu_execution_accelerator": (1, f"*{_ACCELERATOR}")
    },
    _ACCELERATOR: {"name": (1, "string"), "parameters": (2, "{}string")},
}

ONE_OF = {
    "ModelConfig": ("scheduling_choice", ("dynamic_batching", "ensemble_scheduling")),
    "ModelVersionPolicy": ("policy_choice", ("latest",)),
    "ModelWarmup.Input": ("input_data_type", ("random_data",)),
}


def model_config():
    """The class of `inference.ModelConfig`."""
    file = descriptor_pb2.FileDescriptorProto(
        name="t2f_tests/model_config.proto", package="inference", syntax="proto3"
    )
    made = {}
    for name in sorted(MESSAGES):  # a message comes before those inside it
        parent, _, own = name.rpartition(".")
        siblings = made[parent].nested_type if parent else file.message_type
        made[name] = siblings.add(name=own)
    for name, values in ENUMS.items():
        parent, _, own = name.rpartition(".")
        enum = (made[parent] if parent else file).enum_type.add(name=own)
        for value, number in values.items():
            enum.value.add(name=value, number=number)
    for name, fields in MESSAGES.items():
        _add_fields(made[name], name, fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("inference.ModelConfig"))


def _add_fields(message, name, fields):
    choice, chosen = ONE_OF.get(name, (None, ()))
    if choice:
        message.oneof_decl.add(name=choice)
    for field_name, (number, kind) in fields.items():
        field = message.field.add(name=field_name, number=number, label=_FIELD.LABEL_OPTIONAL)
        if field_name in chosen:
            field.oneof_index = 0
        if kind.startswith("{}"):
            field.label = _FIELD.LABEL_REPEATED
            own = field_name.title().replace("_", "") + "Entry"
            entry = message.nested_type.add(name=own)
            entry.options.map_entry = True
            for key, key_number, key_kind in (("key", 1, "string"), ("value", 2, kind[2:])):
                part = entry.field.add(name=key, number=key_number, label=_FIELD.LABEL_OPTIONAL)
                _set_type(part, key_kind)
            _set_type(field, f"{name}.{own}")
        else:
            if kind.startswith("*"):
                field.label = _FIELD.LABEL_REPEATED
            _set_type(field, kind.lstrip("*"))


def _set_type(field, kind):
    if kind in _KINDS:
        field.type = _KINDS[kind]
        return
    field.type = _FIELD.TYPE_ENUM if kind in ENUMS else _FIELD.TYPE_MESSAGE
    field.type_name = f".inference.{kind}"
