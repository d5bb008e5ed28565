// A pipeline in Go: it is printed as a message, which `gofer up` registers.
package main

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"

	"example.com/hello_go/wire"
)

func main() {
	pipeline := &wire.UserPipelineConfig{
		Id:          "hello_go",
		Name:        "Hello from Go",
		Description: "Two tasks, written in Go",
		Tasks: []*wire.UserPipelineTaskConfig{
			{
				Id:         "greet",
				Image:      "busybox:latest",
				Entrypoint: []string{"sh", "-c"},
				Command:    []string{"echo hello from $LANGUAGE"},
				Variables:  map[string]string{"LANGUAGE": "Go"},
			},
			{
				Id:         "part",
				Image:      "busybox:latest",
				Entrypoint: []string{"echo", "goodbye"},
				DependsOn: map[string]wire.UserPipelineTaskConfig_RequiredParentStatus{
					"greet": wire.UserPipelineTaskConfig_SUCCESS,
				},
			},
		},
	}
	// What is printed as an error is shown while the program runs; the standard output is for the message alone.
	fmt.Fprintf(os.Stderr, "%s has %d tasks\n", pipeline.Id, len(pipeline.Tasks))
	message, err := proto.Marshal(pipeline)
	if err == nil {
		_, err = os.Stdout.Write(message)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
