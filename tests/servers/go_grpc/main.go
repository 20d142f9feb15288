// A gRPC server in Go for the interoperability tests: it knows no message, only bytes.
//
// It prints its port, then serves until its standard input ends. What a method does is in its name;
// see answer; methods of a folder of replies answer with those. Other flags choose TLS and the
// policies that clients must live with.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const service = "/milvus.proto.milvus.MilvusService/"

// rawCodec hands messages through as bytes.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func (rawCodec) Name() string { return "proto" }

func main() {
	cert := flag.String("cert", "", "PEM file with the server's certificate and key: TLS")
	age := flag.Duration("max-age", 0, "after this, connections get GOAWAY; calls under way go on")
	streams := flag.Uint("max-streams", 0, "MAX_CONCURRENT_STREAMS")
	folder := flag.String("replies", "", "folder with files that hold replies, named as methods")
	flag.Parse()

	if *folder != "" {
		readReplies(*folder)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	options := []grpc.ServerOption{
		grpc.ForceServerCodec(rawCodec{}),
		grpc.UnknownServiceHandler(handle),
		grpc.MaxRecvMsgSize(1 << 30),
		grpc.MaxSendMsgSize(1 << 30),
	}
	if *cert != "" {
		secrets, err := credentials.NewServerTLSFromFile(*cert, *cert)
		if err != nil {
			log.Fatal(err)
		}
		options = append(options, grpc.Creds(secrets))
	}
	if *age != 0 {
		options = append(options, grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: *age, MaxConnectionAgeGrace: time.Minute,
		}))
	}
	if *streams != 0 {
		options = append(options, grpc.MaxConcurrentStreams(uint32(*streams)))
	}
	server := grpc.NewServer(options...)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		server.Stop()
	}()
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}

var (
	lock sync.Mutex
	seen = map[string]int{}

	replies = map[string][]byte{} // not changed while the server runs
)

func readReplies(folder string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		log.Fatal(err)
	}
	for _, entry := range entries {
		reply, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			log.Fatal(err)
		}
		replies[entry.Name()] = reply
	}
}

func handle(_ any, stream grpc.ServerStream) error {
	full, _ := grpc.MethodFromServerStream(stream)
	method := strings.TrimPrefix(full, service)
	lock.Lock()
	seen[method]++
	lock.Unlock()

	var request []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	reply, err := answer(stream, method, request)
	if err != nil {
		return err
	}
	return stream.SendMsg(&reply)
}

func answer(stream grpc.ServerStream, method string, request []byte) ([]byte, error) {
	if reply, ok := replies[method]; ok {
		return reply, nil
	}
	context := stream.Context()
	switch method {
	case "Echo":
		return request, nil
	case "Enlarge": // as many bytes as the request says in decimal
		size, err := strconv.Atoi(string(request))
		return bytes.Repeat([]byte{'x'}, size), err
	case "Gzip":
		return request, grpc.SetSendCompressor(context, "gzip")
	case "Metadata": // one line each: name, and the value quoted
		return describe(context), nil
	case "Fail": // with the code that the request says
		code, err := strconv.Atoi(string(request))
		if err != nil {
			return nil, err
		}
		trailers := metadata.Pairs("note", "plain", "note-bin", "\x00\xff", "note-bin", "two")
		stream.SetTrailer(trailers)
		return nil, status.Error(codes.Code(code), "why: é 100%\n")
	case "Sleep": // for the duration that the request says, or until the client gives up
		pause, err := time.ParseDuration(string(request))
		if err != nil {
			return nil, err
		}
		select {
		case <-time.After(pause):
			return request, nil
		case <-context.Done():
			lock.Lock()
			seen["cancelled"]++
			lock.Unlock()
			return nil, status.FromContextError(context.Err()).Err()
		}
	case "Seen": // how often the method that the request names was called
		lock.Lock()
		defer lock.Unlock()
		return []byte(strconv.Itoa(seen[string(request)])), nil
	}
	return nil, status.Error(codes.Unimplemented, "no such method: "+method)
}

func describe(context context.Context) []byte {
	var out bytes.Buffer
	pairs, _ := metadata.FromIncomingContext(context)
	for name, values := range pairs {
		for _, value := range values {
			fmt.Fprintf(&out, "%s %q\n", name, value)
		}
	}
	if deadline, ok := context.Deadline(); ok {
		fmt.Fprintf(&out, "deadline %q\n", time.Until(deadline).String())
	}
	return out.Bytes()
}
