import type {
	DescriptorProto,
	EnumDescriptorProto,
	FileDescriptorProto,
} from "@bufbuild/protobuf/wkt";

const ANNOTATIONS =
	/^(validate|udpa\/annotations|xds\/annotations|envoy\/annotations)\//;

/**
 * Removes custom options (validation rules, udpa, xds and envoy annotations) and the files that define them from the descriptors, which it
 * changes in place, and returns the files that remain. Nothing reads these options at run time, and without them the generated
 * descriptors load in about a third of the time.
 */
export function stripOptions(
	files: readonly FileDescriptorProto[],
): FileDescriptorProto[] {
	const kept = files.filter((file) => !ANNOTATIONS.test(file.name));
	for (const file of kept) stripFile(file);
	return kept;
}

function stripFile(file: FileDescriptorProto): void {
	forgetUnknown(file.options);
	if (file.options !== undefined) {
		file.options.javaPackage = "";
		file.options.javaOuterClassname = "";
		file.options.goPackage = "";
	}
	const dependencies = file.dependency.filter(
		(name) => !ANNOTATIONS.test(name),
	);
	file.publicDependency = file.publicDependency
		.map((index) => dependencies.indexOf(file.dependency[index] ?? ""))
		.filter((index) => index >= 0);
	file.weakDependency = [];
	file.dependency = dependencies;
	file.extension = [];
	file.messageType.forEach(stripMessage);
	file.enumType.forEach(stripEnum);
	for (const service of file.service) {
		forgetUnknown(service.options);
		for (const method of service.method) forgetUnknown(method.options);
	}
}

function stripMessage(message: DescriptorProto): void {
	forgetUnknown(message.options);
	for (const field of message.field) forgetUnknown(field.options);
	for (const oneof of message.oneofDecl) forgetUnknown(oneof.options);
	message.enumType.forEach(stripEnum);
	message.nestedType.forEach(stripMessage);
}

function stripEnum(type: EnumDescriptorProto): void {
	forgetUnknown(type.options);
	for (const value of type.value) forgetUnknown(value.options);
}

// The plugin knows none of the option extensions, so all of them are unknown fields.
function forgetUnknown(options: { $unknown?: unknown } | undefined): void {
	if (options !== undefined) delete options.$unknown;
}
